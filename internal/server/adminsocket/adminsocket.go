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
	"path/filepath"
	"sync"
	"time"
)

// Name is the socket's name in data_dir.
const Name = "admin.sock"

// Group is the group whose members may operate Evergate, if the machine has it.
const Group = "evergate"

// maxPath is what fits into a unix socket's address (unix(7): 108 bytes with the
// zero at the end).
const maxPath = 107

// nursery is the folder beside the socket in which it is made, and its name there:
// together shorter than Name, so that a path that is good for the one is for the other.
const (
	nursery = ".s"
	newborn = "s"
)

// Listen opens the socket at path: for its owner (0600), and for the members of
// group (0660) if the machine has such a group and this process may give a file
// to it. shared says which it is. A socket file that a dead process left behind is
// replaced; when somebody answers on it, that is an error. The caller is the only
// process that opens a socket at path.
//
// The socket is made in a folder that nobody else can enter, gets its rights there,
// and is then moved to path: whatever the umask and the mode of the folder, it is
// there with its rights or not at all.
func Listen(path, group string) (listener net.Listener, shared bool, err error) {
	if len(path) > maxPath {
		return nil, false, fmt.Errorf("admin socket %s: the path has %d bytes and the system allows %d; choose a shorter node.data_dir", path, len(path), maxPath)
	}
	if err := vacant(path); err != nil {
		return nil, false, err
	}
	dir := filepath.Join(filepath.Dir(path), nursery)
	if err := os.RemoveAll(dir); err != nil { // of a process that was killed in here
		return nil, false, fmt.Errorf("open admin socket: %w", err)
	}
	if err := os.Mkdir(dir, 0o700); err != nil {
		return nil, false, fmt.Errorf("open admin socket: %w", err)
	}
	defer os.RemoveAll(dir) // empty, or what an error left
	made := filepath.Join(dir, newborn)
	unix, err := net.ListenUnix("unix", &net.UnixAddr{Name: made, Net: "unix"})
	if err != nil {
		return nil, false, fmt.Errorf("open admin socket: %w", err)
	}
	unix.SetUnlinkOnClose(false) // it would remove the name that the socket had here
	if err := os.Chmod(made, 0o600); err != nil {
		unix.Close()
		return nil, false, fmt.Errorf("open admin socket: %w", err)
	}
	shared, err = share(made, filepath.Dir(path), group)
	if err != nil {
		unix.Close()
		return nil, false, fmt.Errorf("share admin socket with group %s: %w", group, err)
	}
	info, err := os.Lstat(made)
	if err == nil {
		err = os.Rename(made, path)
	}
	if err != nil {
		unix.Close()
		return nil, false, fmt.Errorf("open admin socket: %w", err)
	}
	return &socket{UnixListener: unix, path: path, info: info}, shared, nil
}

// vacant says what is in the way at path. The socket of a dead process is not.
func vacant(path string) error {
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
	return nil // the new one is moved over it
}

// socket is a listener whose file has moved.
type socket struct {
	*net.UnixListener
	path string
	info fs.FileInfo // of the file at path
	once sync.Once
}

// Close also removes the file, if it is still this socket's. Closing twice does
// nothing.
func (s *socket) Close() (err error) {
	s.once.Do(func() {
		// First the file: who finds no socket is told so, and waits for nobody.
		if now, missing := os.Lstat(s.path); missing == nil && os.SameFile(now, s.info) {
			err = os.Remove(s.path)
		}
		err = errors.Join(err, s.UnixListener.Close())
	})
	return err
}
