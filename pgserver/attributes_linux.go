package pgserver

import "syscall"

// attributes make a child die with the thread that started it. A postmaster that is told to quit takes its own children along.
func attributes() *syscall.SysProcAttr { return &syscall.SysProcAttr{Pdeathsig: syscall.SIGQUIT} }
