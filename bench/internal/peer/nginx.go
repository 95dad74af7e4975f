package peer

// The log is written in blocks and the buffers hold the largest answer, so that
// nothing touches the disk per request. reuseport spreads the few connections
// of the load over the workers evenly.
const nginxConfig = `
daemon off;
{{if .Root}}user root;{{end}}
worker_processes {{.Processors}};
pid {{.Dir}}/nginx.pid;
error_log {{.Dir}}/stderr warn;
events { worker_connections 4096; }
http {
	access_log {{.AccessLog}} combined buffer=64k flush=1s;
	client_body_temp_path {{.Dir}}/body;
	proxy_temp_path {{.Dir}}/proxy;
	fastcgi_temp_path {{.Dir}}/fastcgi;
	uwsgi_temp_path {{.Dir}}/uwsgi;
	scgi_temp_path {{.Dir}}/scgi;
	keepalive_requests 1000000000;
	tcp_nodelay on;
	upstream app {
		server {{.Origin}};
		keepalive 256;
		keepalive_requests 1000000000;
	}
	server {
		listen 127.0.0.1:{{.Port}} reuseport{{if .TLS}} ssl http2{{end}};
{{- if .TLS}}
		ssl_certificate {{.Cert}};
		ssl_certificate_key {{.Key}};
		ssl_protocols TLSv1.2 TLSv1.3;
{{- end}}
		location / {
			proxy_pass http://app;
			proxy_http_version 1.1;
			proxy_buffers 16 16k;
			proxy_max_temp_file_size 0;
			proxy_set_header Connection "";
			proxy_set_header Host $host;
			proxy_set_header X-Forwarded-For $proxy_add_x_forwarded_for;
			proxy_set_header X-Forwarded-Proto $scheme;
			proxy_set_header X-Request-Id $request_id;
		}
	}
}
`

func nginx() *Peer {
	return &Peer{
		Name: "nginx", Logs: true,
		search: "nginx", version: []string{"-v"},
		configure: func(s Setup) (args, env []string, err error) {
			path, err := fill(s, "nginx.conf", nginxConfig)
			return []string{"-p", s.Dir, "-c", path, "-e", s.Dir + "/stderr"}, nil, err
		},
	}
}
