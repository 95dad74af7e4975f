package front

import (
	"os"
	"syscall"

	"golang.org/x/sys/unix"
)

// ignoreSYN is a filter over TCP segments, each seen from its TCP header on: a
// SYN that opens a connection is dropped, all else passes (RFC 9293 section 3.1:
// the flags are byte 13, ACK is 0x10 and SYN 0x02).
var ignoreSYN = []unix.SockFilter{
	{Code: unix.BPF_LD | unix.BPF_B | unix.BPF_ABS, K: 13},
	{Code: unix.BPF_ALU | unix.BPF_AND | unix.BPF_K, K: 0x12},
	{Code: unix.BPF_JMP | unix.BPF_JEQ | unix.BPF_K, K: 0x02, Jt: 0, Jf: 1},
	{Code: unix.BPF_RET | unix.BPF_K, K: 0},
	{Code: unix.BPF_RET | unix.BPF_K, K: 0xffff},
}

// deafen makes a listening socket ignore visitors who are not connected yet, so
// that its queue runs empty and can be closed without a reset for anybody in it.
// Who was ignored asks again within a second (RFC 6298 section 2), and meets
// whoever listens then, or a plain refusal.
func deafen(raw syscall.RawConn) error {
	program := unix.SockFprog{Len: uint16(len(ignoreSYN)), Filter: &ignoreSYN[0]}
	var failed error
	if err := raw.Control(func(fd uintptr) {
		failed = os.NewSyscallError("setsockopt", unix.SetsockoptSockFprog(int(fd), unix.SOL_SOCKET, unix.SO_ATTACH_FILTER, &program))
	}); err != nil {
		return err
	}
	return failed
}
