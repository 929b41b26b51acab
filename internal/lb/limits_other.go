//go:build !unix

package lb

func defaultConns() int { return 10_000 }
