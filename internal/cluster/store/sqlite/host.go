package sqlite

import (
	"bytes"
	"context"
	"encoding/json"
	"errors"
	"fmt"
	"io/fs"
	"log/slog"
	"os"
	"path/filepath"
	"strings"
	"sync"
	"syscall"
	"time"

	"github.com/evergate/evergate/internal/clock"
	"github.com/evergate/evergate/internal/cluster/store/dialect"
)

// hostFile says which machine uses the database beside it. Whoever has the
// database open holds a shared lock on it (two processes do, during an upgrade);
// a restore wants the lock alone. It is not part of a backup.
const hostFile = "core.db.host"

const (
	hostBeat  = 2 * time.Second // between two signs of life
	hostBeats = 3               // without one, and the other machine is taken to be gone
)

// machine is what the host file holds. Two are the same machine when either id
// is: the machine's differs between containers that share a kernel, the kernel's
// differs after each boot.
type machine struct {
	Host string `json:"host"`
	Boot string `json:"boot"`
	Name string `json:"name"` // for people
}

func (m machine) same(other machine) bool {
	return m.Host != "" && m.Host == other.Host || m.Boot != "" && m.Boot == other.Boot
}

// thisMachine asks the system, unless host gives the id.
func thisMachine(host string) machine {
	name, _ := os.Hostname() //nolint:errcheck // "" serves
	if host != "" {
		return machine{Host: host, Name: name}
	}
	m := machine{Host: firstLine("/etc/machine-id"), Boot: firstLine("/proc/sys/kernel/random/boot_id"), Name: name}
	if m.Host == "" {
		m.Host = name
	}
	return m
}

func firstLine(path string) string {
	text, err := os.ReadFile(path)
	if err != nil {
		return ""
	}
	line, _, _ := strings.Cut(string(text), "\n")
	return strings.TrimSpace(line)
}

// claim is this process's share of the host file.
type claim struct {
	path string
	me   machine
	beat time.Duration
	log  *slog.Logger
	file *os.File // with a shared lock
	quit chan struct{}
	done chan struct{}

	mu    sync.Mutex
	fault error // another machine took the file over
}

// claimHost takes the folder's database for this machine. When the host file
// names another one, it watches for that one's signs of life first: ErrSecondHost
// if there is any, else the database moved here with its disk.
func claimHost(ctx context.Context, dir, host string, beat time.Duration, log *slog.Logger) (*claim, error) {
	if beat == 0 {
		beat = hostBeat
	}
	c := &claim{path: filepath.Join(dir, hostFile), me: thisMachine(host), beat: beat, log: log, quit: make(chan struct{}), done: make(chan struct{})}
	var err error
	if c.file, err = lockHostFile(c.path, syscall.LOCK_SH); err != nil {
		return nil, err
	}
	if err := c.take(ctx); err != nil {
		c.file.Close()
		return nil, err
	}
	go c.live()
	return c, nil
}

// lockHostFile opens path and locks it, shared or alone, without waiting.
func lockHostFile(path string, how int) (*os.File, error) {
	for {
		file, err := os.OpenFile(path, os.O_RDWR|os.O_CREATE, 0o600)
		if err != nil {
			return nil, &dialect.Fault{Kind: dialect.ErrUnavailable, Doing: "open " + path, Advice: adviceAccess, Err: err}
		}
		if err := syscall.Flock(int(file.Fd()), how|syscall.LOCK_NB); err != nil {
			file.Close()
			if errors.Is(err, syscall.EWOULDBLOCK) {
				return nil, &dialect.Fault{Kind: dialect.ErrBusy, Doing: "lock " + path, Advice: "An Evergate runs with this data_dir, or a restore into it is going on. Wait for the restore; stop Evergate before a restore."}
			}
			return nil, fmt.Errorf("lock %s: %w", path, err)
		}
		// Its last holder may have removed it between the two calls.
		if held, err := file.Stat(); err == nil {
			if there, err := os.Stat(path); err == nil && os.SameFile(held, there) {
				return file, nil
			}
		}
		file.Close()
	}
}

// take writes this machine into the file, once no other one lives there.
func (c *claim) take(ctx context.Context) error {
	owner, touched := c.read()
	if owner != (machine{}) && !owner.same(c.me) {
		for range hostBeats {
			if !clock.Sleep(ctx, c.beat+c.beat/4) {
				return &dialect.Fault{Kind: dialect.ErrUnavailable, Doing: "watch for another machine that uses " + c.path, Err: ctx.Err()}
			}
			if now, at := c.read(); now != owner || !at.Equal(touched) {
				return c.second(owner)
			}
		}
		c.log.Warn("core.db was last used by another machine, which gives no sign of life; it is used here now", "machine", owner.Name)
	}
	text, err := json.Marshal(c.me)
	if err != nil {
		return err
	}
	if err := c.file.Truncate(0); err != nil {
		return classifySystem("write "+c.path, err)
	}
	if _, err := c.file.WriteAt(append(text, '\n'), 0); err != nil {
		return classifySystem("write "+c.path, err)
	}
	return nil
}

// read returns the machine in the file, zero when there is none, and when the
// file was last touched.
func (c *claim) read() (machine, time.Time) {
	var m machine
	text, err := os.ReadFile(c.path)
	if err != nil || json.Unmarshal(bytes.TrimSpace(text), &m) != nil {
		return machine{}, time.Time{}
	}
	info, err := os.Stat(c.path)
	if err != nil {
		return machine{}, time.Time{}
	}
	return m, info.ModTime()
}

func (c *claim) second(other machine) error {
	return &dialect.Fault{
		Kind:   dialect.ErrSecondHost,
		Doing:  fmt.Sprintf("open the database beside %s, which machine %s uses", c.path, other.Name),
		Advice: adviceHost(c.path),
	}
}

// live gives the signs of life and looks for another machine.
func (c *claim) live() {
	defer close(c.done)
	tick := time.NewTicker(c.beat)
	defer tick.Stop()
	for {
		select {
		case <-c.quit:
			return
		case now := <-tick.C:
			if owner, _ := c.read(); owner != (machine{}) && !owner.same(c.me) {
				c.mu.Lock()
				c.fault = c.second(owner)
				c.mu.Unlock()
				return
			}
			// A sign that cannot be given (read-only disk, file removed) is the
			// lesser harm; the next one may work.
			_ = os.Chtimes(c.path, now, now)
		}
	}
}

// err returns ErrSecondHost once another machine took the file over.
func (c *claim) err() error {
	c.mu.Lock()
	defer c.mu.Unlock()
	return c.fault
}

// release lets the file go, and removes it when nobody else on this machine has
// it, so that the database may move to another one without a wait.
func (c *claim) release() {
	close(c.quit)
	<-c.done
	if c.err() == nil && syscall.Flock(int(c.file.Fd()), syscall.LOCK_EX|syscall.LOCK_NB) == nil {
		if err := os.Remove(c.path); err != nil && !errors.Is(err, fs.ErrNotExist) {
			c.log.Warn("remove the host file", "error", err)
		}
	}
	c.file.Close()
}

// classifySystem gives a system call's error its kind.
func classifySystem(doing string, err error) error {
	if errors.Is(err, syscall.ENOSPC) || errors.Is(err, syscall.EDQUOT) {
		return &dialect.Fault{Kind: dialect.ErrFull, Doing: doing, Advice: adviceFull, Err: err}
	}
	return &dialect.Fault{Kind: dialect.ErrUnavailable, Doing: doing, Advice: adviceAccess, Err: err}
}
