package peer

// Everything is on: active checks, retries with kept bodies, the queue and its
// limits, compression (the load accepts none), metrics and the access log.
const evergateConfig = `
node: {name: bench, data_dir: data}
listen:
  {{if .TLS}}https{{else}}http{{end}}: "127.0.0.1:{{.Port}}"
  admin: "127.0.0.1:{{.AdminPort}}"
  pprof: {{.Pprof}}
{{- if .TLS}}
tls:
  files: [{cert: "{{.Cert}}", key: "{{.Key}}"}]
{{- end}}
log: {level: warn, access: {file: "{{.AccessLog}}"}}
drain: {accept_grace: 0s, timeout: 2s}
origins:
  app:
    servers: ["http://{{.Origin}}"]
    health: {active: {path: /health, interval: 1s}}
    max_in_flight: {origin: 1000, server: 500}
    queue: {max_requests: 1000, timeout: 5s}
    retry: {attempts: 3}
sites:
  - hosts: ["*"]
    compress: true
    routes:
      - {path: /*, origin: app}
`

func evergate() *Peer {
	return &Peer{
		Name: "evergate", Logs: true,
		module: "..", source: "./cmd/evergate", version: []string{"version"},
		configure: func(s Setup) (args, env []string, err error) {
			path, err := fill(s, "evergate.yaml", evergateConfig)
			return []string{"run", "--config", path}, []string{goProcessors(s)}, err
		},
	}
}
