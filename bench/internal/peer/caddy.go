package peer

import "path/filepath"

// Metrics, compression and retries, which Evergate has on, are left off: they
// would only slow it down.
const caddyConfig = `
{
	admin off
	auto_https off
	persist_config off
	skip_install_trust
	log {
		output stderr
		level WARN
	}
}
{{if .TLS}}https{{else}}http{{end}}://localhost:{{.Port}} {
	bind 127.0.0.1
{{- if .TLS}}
	tls {{.Cert}} {{.Key}}
{{- end}}
	log {
		output file {{.AccessLog}} {
			roll_disabled
		}
		format json
	}
	reverse_proxy {{.Origin}} {
		header_up X-Request-Id {http.request.uuid}
		health_uri /health
		health_interval 1s
		transport http {
			keepalive_idle_conns 4096
			keepalive_idle_conns_per_host 2048
			compression off
		}
	}
}
`

func caddy() *Peer {
	return &Peer{
		Name: "caddy", Logs: true,
		module: ".", source: "github.com/caddyserver/caddy/v2/cmd/caddy",
		configure: func(s Setup) (args, env []string, err error) {
			path, err := fill(s, "Caddyfile", caddyConfig)
			home := filepath.Join(s.Dir, "home")
			env = []string{goProcessors(s), "HOME=" + home, "XDG_DATA_HOME=" + home, "XDG_CONFIG_HOME=" + home}
			return []string{"run", "--config", path, "--adapter", "caddyfile"}, env, err
		},
	}
}
