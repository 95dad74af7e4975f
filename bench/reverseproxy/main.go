// Command reverseproxy is httputil.ReverseProxy as well as it can be set: with
// Rewrite, many idle connections kept, and pooled copy buffers. It is what a Go
// team would write in an afternoon, and the yardstick of Evergate's budget.
//
// It logs nothing, retries nothing and checks no health: what it does not do
// makes it faster, and the budget is meant against that.
package main

import (
	"crypto/tls"
	"flag"
	"log"
	"net/http"
	"net/http/httputil"
	"net/url"
	"sync"
	"time"
)

func main() {
	listen := flag.String("listen", "127.0.0.1:0", "address to listen on")
	origin := flag.String("origin", "", "URL of the server behind")
	cert := flag.String("cert", "", "PEM file with the certificate; empty: plain HTTP")
	key := flag.String("key", "", "PEM file with its key")
	flag.Parse()

	target, err := url.Parse(*origin)
	if err != nil || target.Host == "" {
		log.Fatalf("-origin %q is no URL", *origin)
	}
	server := &http.Server{
		Addr:      *listen,
		Handler:   newProxy(target),
		TLSConfig: &tls.Config{MinVersion: tls.VersionTLS12},
	}
	if *cert != "" {
		log.Fatal(server.ListenAndServeTLS(*cert, *key))
	}
	log.Fatal(server.ListenAndServe())
}

func newProxy(target *url.URL) *httputil.ReverseProxy {
	return &httputil.ReverseProxy{
		Rewrite: func(r *httputil.ProxyRequest) {
			r.SetURL(target)
			r.SetXForwarded()
			r.Out.Host = r.In.Host
		},
		Transport: &http.Transport{
			MaxIdleConns:        4096,
			MaxIdleConnsPerHost: 2048,
			IdleConnTimeout:     time.Minute,
			DisableCompression:  true,
		},
		BufferPool: &buffers{},
	}
}

// buffers is a pool of copy buffers of 32 KiB, the size that ReverseProxy would
// otherwise allocate for each answer.
type buffers struct{ pool sync.Pool }

func (b *buffers) Get() []byte {
	if buffer, ok := b.pool.Get().(*[32 << 10]byte); ok {
		return buffer[:]
	}
	return make([]byte, 32<<10)
}

func (b *buffers) Put(buffer []byte) { b.pool.Put((*[32 << 10]byte)(buffer)) }
