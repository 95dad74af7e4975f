//go:build unix

package front

import "golang.org/x/sys/unix"

// openFiles is how many files this process may have open; 0: nobody knows.
func openFiles() int {
	var limit unix.Rlimit
	if unix.Getrlimit(unix.RLIMIT_NOFILE, &limit) != nil || limit.Cur > 1<<30 {
		return 0
	}
	return int(limit.Cur)
}
