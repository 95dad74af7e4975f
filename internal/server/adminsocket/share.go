package adminsocket

import (
	"errors"
	"io/fs"
	"os"
	"os/user"
	"strconv"
	"syscall"
)

// share lets the members of group open the socket, and reach it in dir: pass through,
// and neither list nor read nor write there, whatever another group could before.
// It is false, without an error, where there is no such group or this process may not
// give files to it; then nothing is opened to anybody.
func share(socket, dir, group string) (bool, error) {
	g, err := user.LookupGroup(group)
	if err != nil {
		return false, nil // most often: no such group
	}
	gid, err := strconv.Atoi(g.Gid)
	if err != nil {
		return false, nil
	}
	info, err := os.Stat(dir)
	if err != nil {
		return false, err
	}
	// First take away what the group of before could, and only then give the folder
	// to another.
	if err := os.Chmod(dir, info.Mode().Perm()&^0o070); err != nil {
		return false, notOurs(err)
	}
	for _, name := range []string{socket, dir} {
		if err := give(name, gid); errors.Is(err, fs.ErrPermission) {
			// Not a member: the owner and root are enough.
			return false, os.Chmod(dir, info.Mode().Perm())
		} else if err != nil {
			return false, err
		}
	}
	if err := os.Chmod(socket, 0o660); err != nil {
		return false, err
	}
	return true, os.Chmod(dir, info.Mode().Perm()&^0o070|0o010)
}

// give makes name a file of the group gid. Where it is one already, nothing is
// asked of the system: the service's sandbox has no chown (SystemCallFilter of the
// unit), and needs none, because what its user makes is of its group.
func give(name string, gid int) error {
	info, err := os.Stat(name)
	if err != nil {
		return err
	}
	if stat, ok := info.Sys().(*syscall.Stat_t); ok && int(stat.Gid) == gid {
		return nil
	}
	return os.Chown(name, -1, gid)
}

// notOurs is nil when err says that the folder belongs to somebody else, who decides
// about it.
func notOurs(err error) error {
	if errors.Is(err, fs.ErrPermission) {
		return nil
	}
	return err
}
