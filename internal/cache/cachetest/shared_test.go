package cachetest_test

import (
	"testing"

	"github.com/pandobase/pando/internal/cache"
	"github.com/pandobase/pando/internal/cache/cachetest"
)

func TestShared(t *testing.T) {
	cachetest.RunTier(t, func(*testing.T) (a, b cache.Tier) {
		s := new(cachetest.Shared)
		return s, s
	})
}
