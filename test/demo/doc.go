// Package demo runs `pando demo`, breaks what it started, and looks for what it left.
package demo
