// Package adminsocket opens the unix socket in data_dir over which operators of
// this machine speak with Evergate. Who may open the socket may operate the door;
// so the folder and the socket are for the same user, for root, and for the
// members of one group where it exists.
package adminsocket

import (
	"errors"
	"fmt"
	"io/fs"
	"net"
	"os"
	"os/user"
	"path/filepath"
	"strconv"
	"time"
)

// Name is the socket's name in data_dir.
const Name = "admin.sock"

// Group is the group whose members may operate Evergate, if the machine has it.
const Group = "evergate"

// maxPath is what fits into a unix socket's address (unix(7): 108 bytes with the
// zero at the end).
const maxPath = 107

// Listen opens the socket at path: for its owner (0600), and for the members of
// group (0660) if the machine has such a group and this process may give a file
// to it. shared says which it is. A socket file that a dead process left behind is
// replaced; when somebody answers on it, that is an error.
func Listen(path, group string) (listener net.Listener, shared bool, err error) {
	if len(path) > maxPath {
		return nil, false, fmt.Errorf("admin socket %s: the path has %d bytes and the system allows %d; choose a shorter node.data_dir", path, len(path), maxPath)
	}
	if err := clear(path); err != nil {
		return nil, false, err
	}
	if listener, err = net.Listen("unix", path); err != nil {
		return nil, false, fmt.Errorf("open admin socket: %w", err)
	}
	// Between the two calls the folder's own mode keeps others out, or lets those in
	// who may come anyway.
	if err := os.Chmod(path, 0o600); err != nil {
		listener.Close()
		return nil, false, fmt.Errorf("open admin socket: %w", err)
	}
	shared, err = share(path, group)
	if err != nil {
		listener.Close()
		return nil, false, fmt.Errorf("share admin socket with group %s: %w", group, err)
	}
	return listener, shared, nil
}

// clear removes what a dead process left at path.
func clear(path string) error {
	info, err := os.Lstat(path)
	if errors.Is(err, fs.ErrNotExist) {
		return nil
	}
	if err != nil {
		return fmt.Errorf("look at admin socket: %w", err)
	}
	if info.Mode().Type() != os.ModeSocket {
		return fmt.Errorf("admin socket %s: there is something else with this name", path)
	}
	if conn, err := net.DialTimeout("unix", path, time.Second); err == nil {
		conn.Close()
		return fmt.Errorf("admin socket %s: another Evergate is already running and answers there", path)
	}
	if err := os.Remove(path); err != nil {
		return fmt.Errorf("remove the admin socket of a dead process: %w", err)
	}
	return nil
}

// share lets the members of group reach and open the socket. They may pass
// through the folder (0710) and not list or read it. It is false, without an error,
// where there is no such group or this process may not give files to it.
func share(path, group string) (bool, error) {
	g, err := user.LookupGroup(group)
	if err != nil {
		return false, nil // most often: no such group
	}
	gid, err := strconv.Atoi(g.Gid)
	if err != nil {
		return false, nil
	}
	dir := filepath.Dir(path)
	for _, name := range []string{dir, path} {
		if err := os.Chown(name, -1, gid); errors.Is(err, fs.ErrPermission) {
			return false, nil // not a member: the owner and root are enough
		} else if err != nil {
			return false, err
		}
	}
	info, err := os.Stat(dir)
	if err != nil {
		return false, err
	}
	if err := os.Chmod(dir, info.Mode().Perm()|0o010); err != nil {
		return false, err
	}
	return true, os.Chmod(path, 0o660)
}
