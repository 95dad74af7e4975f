package gateway

import (
	"fmt"
	"net/http"
	"net/url"
	"regexp"

	"github.com/evergate/evergate/internal/config"
	"github.com/evergate/evergate/internal/edge/gateway/route"
)

// rewriter makes the server's path of the visitor's. It is immutable.
type rewriter struct {
	strip string         // decoded; "" for none
	match *regexp.Regexp // nil for none
	to    string
	slash bool // an encoded slash is allowed
}

// newRewriter returns nil for a route whose path stays.
func newRewriter(r *config.Route) (*rewriter, error) {
	if r.StripPrefix == "" && r.Rewrite == nil {
		return nil, nil
	}
	w := &rewriter{slash: r.EncodedSlash == "keep"}
	if r.StripPrefix != "" {
		strip, err := url.PathUnescape(r.StripPrefix)
		if err != nil {
			return nil, fmt.Errorf("strip_prefix %s: %w", r.StripPrefix, err)
		}
		w.strip = strip
	}
	if r.Rewrite != nil {
		match, err := regexp.Compile(r.Rewrite.Match)
		if err != nil {
			return nil, fmt.Errorf("rewrite: %w", err)
		}
		w.match, w.to = match, r.Rewrite.To
	}
	return w, nil
}

// apply returns the path that goes to the server, in normal form. The nil
// rewriter returns the path. ok is false for a path that would leave what the
// access rules have seen, or that is no path.
func (w *rewriter) apply(path string) (result string, ok bool) {
	if w == nil {
		return path, true
	}
	result = path
	if w.strip != "" {
		result, _ = route.CutPrefix(result, w.strip)
	}
	if w.match != nil {
		if groups := w.match.FindStringSubmatchIndex(result); groups != nil {
			result = string(w.match.ExpandString(nil, w.to, result, groups))
		}
	}
	result, err := route.Rewritten(result)
	if err != nil || !w.slash && route.HasEncodedSlash(result) {
		return "", false
	}
	return result, true
}

// rewrite changes the path that goes to the server.
func rewrite(p *place) step {
	if p.rewriter == nil {
		return nil
	}
	return func(next http.Handler) http.Handler {
		return http.HandlerFunc(func(out http.ResponseWriter, r *http.Request) {
			w := of(out)
			path, ok := p.rewriter.apply(w.x.Path)
			if !ok {
				w.refuse(r, refuseRewrite)
				return
			}
			setPath(r, path)
			next.ServeHTTP(out, r)
		})
	}
}
