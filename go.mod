module github.com/pandobase/pando

go 1.26

require github.com/cespare/xxhash/v2 v2.3.0

require github.com/google/go-cmp v0.7.0
