package peer

import "fmt"

func reverseProxy() *Peer {
	return &Peer{
		Name:   "reverseproxy",
		module: ".", source: "./reverseproxy",
		configure: func(s Setup) (args, env []string, err error) {
			args = []string{"-listen", fmt.Sprintf("127.0.0.1:%d", s.Port), "-origin", "http://" + s.Origin}
			if s.TLS {
				args = append(args, "-cert", s.Cert, "-key", s.Key)
			}
			return args, []string{goProcessors(s)}, nil
		},
	}
}
