package adminsocket

import (
	"errors"
	"io/fs"
	"os"
	"os/user"
	"strconv"
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
		if err := os.Chown(name, -1, gid); errors.Is(err, fs.ErrPermission) {
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

// notOurs is nil when err says that the folder belongs to somebody else, who decides
// about it.
func notOurs(err error) error {
	if errors.Is(err, fs.ErrPermission) {
		return nil
	}
	return err
}
