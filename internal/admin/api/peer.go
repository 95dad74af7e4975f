package api

import (
	"context"
	"net"
	"os"
	"os/user"
	"strconv"
	"sync"
	"syscall"
)

// peer is the process at the other end of a unix socket.
type peer struct {
	uid   uint32
	known bool // the kernel said who it is

	once sync.Once
	name string
}

type peerKey struct{}

// maxPeerName bounds a user's name, in characters: longer ones do not fit into a
// history.
const maxPeerName = 100

// PeerContext is the ConnContext of an http.Server on the unix socket: the Gate
// takes the peer of such a connection as an admin, under the name that the kernel
// gives it. Connections of other kinds stay without a peer, and need a token.
func PeerContext(ctx context.Context, conn net.Conn) context.Context {
	if _, ok := conn.LocalAddr().(*net.UnixAddr); !ok {
		return ctx
	}
	p := &peer{}
	if c, ok := conn.(syscall.Conn); ok {
		p.uid, p.known = peerUID(c)
	}
	return context.WithValue(ctx, peerKey{}, p)
}

func peerOf(ctx context.Context) *peer {
	p, _ := ctx.Value(peerKey{}).(*peer)
	return p
}

// actor is the peer's user name, or "uid:N" where the machine has none for it.
// It is looked up at the first request and not when the connection is accepted:
// a directory that hangs must not keep others from connecting.
func (p *peer) actor() string {
	p.once.Do(func() {
		id := strconv.FormatUint(uint64(p.uid), 10)
		p.name = "uid:" + id
		if u, err := user.LookupId(id); err == nil && oneLine(u.Username, maxPeerName) {
			p.name = u.Username
		}
	})
	return p.name
}

// master reports whether the peer could end or exchange this process anyway: root,
// and the user that it runs as.
func (p *peer) master() bool { return p.uid == 0 || int64(p.uid) == int64(os.Geteuid()) }
