package server

import (
	"context"
	"fmt"
	"log/slog"
	"net/http"
	"net/netip"
	"strconv"
	"strings"

	"github.com/evergate/evergate/internal/config"
	"github.com/evergate/evergate/internal/edge/gateway"
)

// Question is a request of which somebody wants to know what it would meet.
type Question struct {
	Method string      // "" is GET
	URL    string      // absolute, "http://" or "https://"
	Header http.Header // what the visitor sends; may be nil
	Client netip.Addr  // of the visitor; the zero value is 127.0.0.1
}

// Explanation is what a request would meet. Texts are those of the
// configuration file ("30s", "64KiB"); what does not apply is left out.
type Explanation struct {
	Request Asked           `json:"request"`
	Answer  *Answer         `json:"answer,omitempty"` // when the door answers by itself
	Site    *SiteMet        `json:"site,omitempty"`
	Route   *RouteMet       `json:"route,omitempty"`
	Sent    *Sent           `json:"sent,omitempty"` // what a server gets
	Headers *HeadersChanged `json:"headers,omitempty"`
	Limits  *LimitsMet      `json:"limits,omitempty"`
	Origin  *OriginMet      `json:"origin,omitempty"`
	Retry   *RetryMet       `json:"retry,omitempty"`
}

// Asked is the request in the form in which all parts see it.
type Asked struct {
	Method string `json:"method"`
	Scheme string `json:"scheme"`
	Host   string `json:"host"`
	Path   string `json:"path"`
	Query  string `json:"query,omitempty"`
	Client string `json:"client"`
}

// Answer is one that no server is asked for.
type Answer struct {
	Status   int      `json:"status"`
	Reason   string   `json:"reason"`             // a word of the access log's "denial", or "redirect" or "respond"
	Location string   `json:"location,omitempty"` // of a redirect
	Allow    []string `json:"allow,omitempty"`    // methods that the path has routes for
	Body     string   `json:"body,omitempty"`     // of a fixed answer
}

// SiteMet is the site.
type SiteMet struct {
	Name     string   `json:"name"`
	Hosts    []string `json:"hosts"`
	Line     int      `json:"line"` // in the file, 0: unknown
	Access   []string `json:"access,omitempty"`
	HSTS     string   `json:"hsts,omitempty"`
	Compress string   `json:"compress"`
}

// RouteMet is the route.
type RouteMet struct {
	Name       string            `json:"name"`
	Path       string            `json:"path"`
	Line       int               `json:"line"`
	Methods    []string          `json:"methods,omitempty"`
	Match      map[string]string `json:"match,omitempty"`
	Access     []string          `json:"access,omitempty"`
	Compress   string            `json:"compress,omitempty"` // instead of the site's
	TunnelIdle string            `json:"tunnel_idle,omitempty"`
}

// Sent is the request as it goes to a server.
type Sent struct {
	Method string   `json:"method"`
	Target string   `json:"target"` // after strip_prefix and rewrite
	Host   string   `json:"host"`
	Header []string `json:"header"` // "Name: value", sorted
}

// HeadersChanged are the changes in the order in which they are made.
type HeadersChanged struct {
	Request  []string `json:"request,omitempty"`  // such as "set X-Team: shop"
	Response []string `json:"response,omitempty"` // likewise
}

// LimitsMet bound the request.
type LimitsMet struct {
	Header   string `json:"header"`
	Body     string `json:"body"`
	Response string `json:"response"`
	Buffered bool   `json:"buffer_request"`
}

// OriginMet is the origin with its servers.
type OriginMet struct {
	Name        string      `json:"name"`
	Line        int         `json:"line"`
	Transport   string      `json:"transport"`
	DialTimeout string      `json:"dial_timeout"`
	Paused      bool        `json:"paused,omitempty"`
	Servers     []ServerMet `json:"servers"`
	Balance     string      `json:"balance"`
	Sticky      string      `json:"sticky,omitempty"`
	Health      []string    `json:"health"`
	Limit       string      `json:"max_in_flight"`
	Queue       string      `json:"queue"`
}

// ServerMet is one server as the file has it: nobody is asked how it is.
type ServerMet struct {
	URL    string `json:"url"`
	Weight int    `json:"weight"`
	Backup bool   `json:"backup,omitempty"`
	State  string `json:"state"`
	Limit  int    `json:"max_in_flight,omitempty"`
}

// Explain says what a request would meet under cfg. The request goes through the
// gateway that serves, up to where a server would be asked; nobody is asked.
// Errors: a Question that is none, or what Prepare says of the configuration.
func Explain(cfg *config.Config, q Question) (*Explanation, error) {
	r, err := q.request()
	if err != nil {
		return nil, err
	}
	stage := &rehearsal{}
	door := gateway.New(gateway.Options{Log: slog.New(slog.DiscardHandler)})
	runtime, err := door.Prepare(cfg, stage, nil, stage)
	if err != nil {
		return nil, fmt.Errorf("prepare the gateway: %w", err)
	}
	door.Use(runtime)
	stage.play(door, r.Clone(context.Background())) // the door changes it
	return stage.explanation(cfg, r), nil
}

func siteMet(cfg *config.Config, s *config.Site) *SiteMet {
	met := &SiteMet{Name: s.Hosts[0], Hosts: s.Hosts, Access: accessMet(s.Access), Compress: compressMet(s.Compress)}
	for i, one := range cfg.Sites {
		if one == s {
			met.Line, _ = cfg.Place("sites[" + strconv.Itoa(i) + "]")
		}
	}
	if s.HSTS.MaxAge > 0 {
		met.HSTS = "max_age " + s.HSTS.MaxAge.String()
		if s.HSTS.Subdomains {
			met.HSTS += ", subdomains"
		}
		if s.HSTS.Preload {
			met.HSTS += ", preload"
		}
	}
	return met
}

func routeMet(cfg *config.Config, r *config.Route) *RouteMet {
	met := &RouteMet{Name: r.Name, Path: r.Path, Methods: r.Methods, Match: matchMet(r.Match), Access: accessMet(r.Access)}
	if met.Name == "" {
		met.Name = r.Path
	}
	if r.Compress != nil {
		met.Compress = compressMet(*r.Compress)
	}
	for i, one := range cfg.Sites {
		for j, route := range one.Routes {
			if route == r {
				met.Line, _ = cfg.Place("sites[" + strconv.Itoa(i) + "].routes[" + strconv.Itoa(j) + "]")
			}
		}
	}
	return met
}

func accessMet(a config.Access) []string {
	var lines []string
	for _, p := range a.Deny {
		lines = append(lines, "deny "+p.String())
	}
	for _, p := range a.Allow {
		lines = append(lines, "allow "+p.String())
	}
	return lines
}

func compressMet(c config.Compress) string {
	if !c.On {
		return "off"
	}
	return "from " + c.MinSize.String() + ": " + strings.Join(c.Types, ", ")
}

func limitsMet(cfg *config.Config, r *config.Route) *LimitsMet {
	l, size := cfg.Limits, r.BodySize
	if size == 0 {
		size = l.Body.Size
	}
	return &LimitsMet{
		Header: l.HeaderBytes.String() + " and " + strconv.Itoa(l.HeaderFields) + " fields within " + l.HeaderTimeout.String() + "; target " + l.TargetBytes.String(),
		Body: size.String() + "; pauses up to " + l.Body.IdleTimeout.String() + ", at least " + l.Body.MinRate.String() +
			" bytes/s after " + l.Body.Grace.String(),
		Response: "pauses of the visitor up to " + l.Response.IdleTimeout.String() + ", at least " + l.Response.MinRate.String() +
			" bytes/s after " + l.Response.Grace.String(),
		Buffered: r.BufferRequest,
	}
}

func headersChanged(s *config.Site, r *config.Route) *HeadersChanged {
	h := &HeadersChanged{
		Request:  append(changesMet(s.Headers.Request), changesMet(r.Headers.Request)...),
		Response: append(changesMet(s.Headers.Response), changesMet(r.Headers.Response)...),
	}
	if len(h.Request)+len(h.Response) == 0 {
		return nil
	}
	return h
}

// matchMet are the conditions of a route, with "***" for what may be a secret.
func matchMet(m map[string]config.HeaderValue) map[string]string {
	if m == nil {
		return nil
	}
	met := make(map[string]string, len(m))
	for name, value := range m {
		met[name] = value.String()
	}
	return met
}

func changesMet(c config.HeaderChange) []string {
	var lines []string
	for _, name := range c.Remove {
		lines = append(lines, "remove "+name)
	}
	for _, name := range sortedNames(c.Set) {
		lines = append(lines, "set "+name+": "+c.Set[name].String())
	}
	for _, name := range sortedNames(c.Add) {
		lines = append(lines, "add "+name+": "+c.Add[name].String())
	}
	return lines
}
