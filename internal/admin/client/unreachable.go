package client

import (
	"context"
	"crypto/tls"
	"crypto/x509"
	"errors"
	"fmt"
	"io"
	"io/fs"
	"net"
	"os"
	"os/user"
	"path/filepath"
	"strconv"
	"strings"
	"syscall"
)

var (
	// ErrNotRunning says that nobody answers on the socket.
	ErrNotRunning = errors.New("no Evergate is running there")
	// ErrNotAllowed says that this user may not open the socket.
	ErrNotAllowed = errors.New("this user may not")
)

// unreachable turns the error of a request that got no answer into one that says
// what to do.
func (c *Client) unreachable(ctx context.Context, err error) error {
	err = plain(err)
	switch {
	case ctx.Err() != nil:
		return fmt.Errorf("wait for an answer of %s: %w", c.where, ctx.Err())
	case c.socket != "":
		return c.noSocket(err)
	}
	if text := certificateTrouble(err); text != "" {
		return fmt.Errorf("ask %s: %s: %w", c.where, text, err)
	}
	var notFound *net.DNSError
	var timeout net.Error
	switch {
	case errors.As(err, &notFound) && notFound.IsNotFound:
		return fmt.Errorf("ask %s: there is no host %s; is the name spelled right?", c.where, notFound.Name)
	case errors.Is(err, syscall.ECONNREFUSED):
		return fmt.Errorf("ask %s: nobody listens there; is Evergate running, and is this its listen.admin?", c.where)
	case errors.As(err, &timeout) && timeout.Timeout():
		return fmt.Errorf("ask %s: no connection within %s; is the host up, and does a firewall let you through?", c.where, dialTimeout)
	case strings.Contains(err.Error(), "server gave HTTP response to HTTPS client"):
		return fmt.Errorf("ask %s: it speaks plain HTTP; set admin.tls in its configuration, or use a tunnel: ssh -L 8090:localhost:8090 HOST, and --server http://localhost:8090", c.where)
	case errors.Is(err, io.EOF), errors.Is(err, io.ErrUnexpectedEOF), errors.Is(err, syscall.ECONNRESET):
		return fmt.Errorf("ask %s: the connection ended before an answer (%w); what was asked may or may not have happened", c.where, err)
	}
	return fmt.Errorf("ask %s: %w", c.where, err)
}

// certificateTrouble says what to do about a certificate, "" if err is no such matter.
func certificateTrouble(err error) string {
	var (
		unknown  x509.UnknownAuthorityError
		wrong    x509.HostnameError
		invalid  x509.CertificateInvalidError
		verified *tls.CertificateVerificationError
	)
	switch {
	case errors.As(err, &unknown):
		return "nobody that this machine trusts has signed its certificate; name the authority with --ca FILE"
	case errors.As(err, &wrong):
		return "its certificate is for another name; ask for it by a name that the certificate has"
	case errors.As(err, &invalid) && invalid.Reason == x509.Expired:
		return "its certificate is over, or the clock of this machine is wrong"
	case errors.As(err, &verified):
		return "its certificate cannot be trusted"
	}
	return ""
}

// noSocket explains why the socket of this machine gave no answer.
func (c *Client) noSocket(err error) error {
	switch {
	case errors.Is(err, fs.ErrNotExist), errors.Is(err, syscall.ECONNREFUSED):
		return fmt.Errorf("%w (%s)", ErrNotRunning, c.socket)
	case errors.Is(err, fs.ErrPermission):
		return &notAllowedError{socket: c.socket, cause: err}
	case errors.Is(err, io.EOF), errors.Is(err, io.ErrUnexpectedEOF), errors.Is(err, syscall.ECONNRESET), errors.Is(err, syscall.EPIPE):
		return fmt.Errorf("ask over %s: the connection ended before an answer (%w); what was asked may or may not have happened", c.socket, err)
	}
	return fmt.Errorf("ask over %s: %w", c.socket, err)
}

// notAllowedError says who may open a socket.
type notAllowedError struct {
	socket string
	cause  error
}

func (e *notAllowedError) Unwrap() []error { return []error{ErrNotAllowed, e.cause} }

// Error names the users and the group who may. When even the folder is closed to
// this user, the folder's are named: nothing more can be seen.
func (e *notAllowedError) Error() string {
	path := e.socket
	info, err := os.Stat(path)
	if err != nil {
		path = filepath.Dir(path)
		info, err = os.Stat(path)
	}
	text := "open " + e.socket + ": this user may not"
	owned, ok := ownership(info)
	if err != nil || !ok {
		return text + "; ask as the user that Evergate runs as, or as root (sudo)"
	}
	who := "the user " + userName(owned.uid)
	group := groupName(owned.gid)
	if info.Mode().Perm()&0o070 == 0 || owned.gid == 0 {
		return fmt.Sprintf("%s; ask as %s, or as root (sudo)", text, who)
	}
	return fmt.Sprintf("%s; ask as %s or as root (sudo), or become a member of the group %s (usermod -aG %s NAME, then log in again)", text, who, group, group)
}

// owner is to whom a file belongs.
type owner struct{ uid, gid uint32 }

func ownership(info fs.FileInfo) (owner, bool) {
	if info == nil {
		return owner{}, false
	}
	stat, ok := info.Sys().(*syscall.Stat_t)
	if !ok {
		return owner{}, false
	}
	return owner{stat.Uid, stat.Gid}, true
}

func userName(id uint32) string {
	text := strconv.FormatUint(uint64(id), 10)
	if u, err := user.LookupId(text); err == nil {
		return u.Username
	}
	return text
}

func groupName(id uint32) string {
	text := strconv.FormatUint(uint64(id), 10)
	if g, err := user.LookupGroupId(text); err == nil {
		return g.Name
	}
	return text
}
