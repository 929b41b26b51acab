//go:build !linux

package demo

import "syscall"

// dieWithUs cannot be had here: a demo that is killed leaves its servers behind.
func dieWithUs() *syscall.SysProcAttr { return nil }
