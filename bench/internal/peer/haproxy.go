package peer

import (
	"fmt"
	"os"
	"path/filepath"
)

// HAProxy opens no log file by itself. It writes its log to stdout, which is a
// file here: a write per line, but no second program that would have to be
// counted.
const haproxyConfig = `
global
	nbthread {{.Processors}}
	maxconn 4096
	log stdout format raw local0 info
	ssl-default-bind-options ssl-min-ver TLSv1.2
	tune.h2.max-concurrent-streams 100
defaults
	mode http
	log global
	option httplog
	option forwardfor
	option redispatch
	retries 3
	http-reuse always
	timeout connect 2s
	timeout client 60s
	timeout server 60s
	unique-id-format %{+X}o\ %ci:%cp_%Ts_%rt
	unique-id-header X-Request-Id
frontend door
	bind 127.0.0.1:{{.Port}}{{if .TLS}} ssl crt {{.Dir}}/both.pem alpn h2,http/1.1{{end}}
	http-request set-header X-Forwarded-Proto http{{if .TLS}}s{{end}}
	default_backend app
backend app
	option httpchk GET /health
	server app1 {{.Origin}} check inter 1s pool-max-conn 256
`

func haproxy() *Peer {
	return &Peer{
		Name: "haproxy", Logs: true,
		search: "haproxy", version: []string{"-v"},
		configure: func(s Setup) (args, env []string, err error) {
			if s.TLS {
				if err := join(filepath.Join(s.Dir, "both.pem"), s.Cert, s.Key); err != nil {
					return nil, nil, err
				}
			}
			// Start makes stdout; the access log is a second name of it.
			if err := os.Symlink(s.AccessLog, filepath.Join(s.Dir, "stdout")); err != nil {
				return nil, nil, err
			}
			path, err := fill(s, "haproxy.cfg", haproxyConfig)
			return []string{"-db", "-f", path}, nil, err
		},
	}
}

// join writes the files one after the other into path.
func join(path string, files ...string) error {
	var all []byte
	for _, file := range files {
		text, err := os.ReadFile(file)
		if err != nil {
			return fmt.Errorf("read certificate: %w", err)
		}
		all = append(all, text...)
	}
	return os.WriteFile(path, all, 0o600)
}
