//go:build !race

package server

const clusterSlots = 1 << 21
