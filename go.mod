module github.com/pandobase/pando

go 1.26.0

require (
	github.com/HdrHistogram/hdrhistogram-go v1.4.0
	github.com/google/go-cmp v0.7.0
	golang.org/x/sys v0.49.0
)
