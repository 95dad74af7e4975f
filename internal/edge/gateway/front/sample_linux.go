package front

import "golang.org/x/sys/unix"

// sampleTCP asks the kernel what the visitor has acknowledged, and whether bytes
// lie ready that its window or the network's does not let out. Both are exact
// where a write that returned, or did not, says little: the kernel's own buffer
// may hold megabytes.
func (c *conn) sampleTCP() (taken uint64, waiting bool) {
	raw, err := c.SyscallConn()
	if err != nil {
		return 0, false // closed
	}
	// An error leaves info nil: closed while we asked.
	var info *unix.TCPInfo
	_ = raw.Control(func(fd uintptr) {
		info, _ = unix.GetsockoptTCPInfo(int(fd), unix.IPPROTO_TCP, unix.TCP_INFO)
	})
	if info == nil {
		return 0, false
	}
	return info.Bytes_acked, info.Notsent_bytes > 0
}
