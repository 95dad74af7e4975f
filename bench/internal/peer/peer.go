// Package peer knows the proxies that are compared: how each is found or built,
// and how it is set up for the same work. Every one keeps its connections to
// the server behind, sets X-Forwarded-For and X-Forwarded-Proto, gives the
// request an id and writes an access log to a file, as far as it can.
//
// Where a program leaves a choice, it is made in favour of the peer.
package peer

import (
	"context"
	"debug/buildinfo"
	"fmt"
	"os"
	"os/exec"
	"path/filepath"
	"strings"
	"text/template"

	"github.com/evergate/evergate/bench/internal/process"
)

// Setup is one start of a peer: what its configuration says. It is the data of
// the templates.
type Setup struct {
	Port       int    // to listen on, on loopback
	AdminPort  int    // for a peer with an operators' listener
	Origin     string // host:port of the server behind
	TLS        bool
	Cert, Key  string // PEM files
	Dir        string // folder of this start alone
	AccessLog  string // file
	Processors int    // how many the peer may use at once
	CPUs       string // which they are, as taskset takes them; empty: all
	Root       bool   // we are root
	Pprof      bool   // Evergate: serve profiles on AdminPort
}

// Peer is one of the proxies.
type Peer struct {
	Name string
	// Logs says that it writes an access log.
	Logs bool
	// Path of the program, once found or built. One that is set before is kept.
	Path string

	search  string   // name of a program that the system brings, or empty
	module  string   // folder of the module that builds it, from bench/
	source  string   // package to build there
	version []string // arguments that make it tell its version; nil: read from what it is built of
	// configure writes what the program needs into s.Dir and returns its
	// arguments and environment.
	configure func(s Setup) (args, env []string, err error)
}

// All returns the peers in the order in which they take turns.
func All() []*Peer {
	return []*Peer{evergate(), nginx(), haproxy(), caddy(), reverseProxy()}
}

// Find looks for the program of p, or builds it into the folder bin. An error
// says why p is missing on this machine.
func (p *Peer) Find(ctx context.Context, bin string) error {
	if p.Path != "" {
		return nil
	}
	if p.search != "" {
		for dir := range strings.SplitSeq(os.Getenv("PATH")+":/usr/sbin:/sbin", ":") {
			if path, err := exec.LookPath(filepath.Join(dir, p.search)); err == nil {
				p.Path = path
				return nil
			}
		}
		return fmt.Errorf("%s is not installed (make setup)", p.search)
	}
	path, err := Build(ctx, bin, p.module, p.source)
	p.Path = path
	return err
}

// Cost says what Find may take, for the line of progress before it.
func (p *Peer) Cost() string {
	if p.search != "" || p.Path != "" {
		return ""
	}
	return ": building it, which may take minutes the first time"
}

// Build builds a Go program into the folder bin and returns its path. The
// folder of the module counts from bench/, where we work.
func Build(ctx context.Context, bin, module, source string) (string, error) {
	path := filepath.Join(bin, "bench-"+filepath.Base(source))
	cmd := exec.CommandContext(ctx, "go", "build", "-trimpath", "-o", path, source)
	cmd.Dir = module
	if out, err := cmd.CombinedOutput(); err != nil {
		return "", fmt.Errorf("build %s: %w: %s", source, err, firstLines(string(out), 5))
	}
	return path, nil
}

// Version asks the program which one it is.
func (p *Peer) Version(ctx context.Context) string {
	if p.version == nil {
		return p.built()
	}
	out, err := exec.CommandContext(ctx, p.Path, p.version...).CombinedOutput()
	if err != nil {
		return "unknown: " + err.Error()
	}
	return firstLines(string(out), 1)
}

// built returns the module and version that a Go program has its source from,
// and of which Go it is.
func (p *Peer) built() string {
	info, err := buildinfo.ReadFile(p.Path)
	if err != nil {
		return "unknown: " + err.Error()
	}
	text := info.GoVersion
	// A program of another module is its main module, not one that it depends on.
	for _, m := range append(info.Deps, &info.Main) {
		if strings.HasPrefix(p.source, m.Path+"/") {
			text = m.Version + ", " + text
		}
	}
	return text
}

// Start starts p with s.
func (p *Peer) Start(s Setup) (*process.Process, error) {
	args, env, err := p.configure(s)
	if err != nil {
		return nil, fmt.Errorf("configure %s: %w", p.Name, err)
	}
	return process.Start(process.Command{
		Path: p.Path, Args: args, Env: env, Dir: s.Dir, CPUs: s.CPUs,
		Out: filepath.Join(s.Dir, "stdout"), Err: filepath.Join(s.Dir, "stderr"),
	})
}

// fill writes a configuration made from text and s, and returns its path.
func fill(s Setup, name, text string) (string, error) {
	parsed, err := template.New(name).Parse(text)
	if err != nil {
		return "", err
	}
	path := filepath.Join(s.Dir, name)
	file, err := os.Create(path)
	if err != nil {
		return "", err
	}
	defer file.Close()
	if err := parsed.Execute(file, s); err != nil {
		return "", err
	}
	return path, file.Close()
}

// goProcessors limits a Go program to the processors of s.
func goProcessors(s Setup) string { return fmt.Sprintf("GOMAXPROCS=%d", s.Processors) }

func firstLines(text string, n int) string {
	lines := strings.SplitN(strings.TrimSpace(text), "\n", n+1)
	return strings.Join(lines[:min(n, len(lines))], " | ")
}
