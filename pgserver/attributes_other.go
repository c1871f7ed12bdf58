//go:build !linux

package pgserver

import "syscall"

// attributes are empty: here no child dies with its parent.
func attributes() *syscall.SysProcAttr { return &syscall.SysProcAttr{} }
