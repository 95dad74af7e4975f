package gateway

import (
	"net/http"
	"strings"
	"time"

	"github.com/evergate/evergate/internal/edge/gateway/pages"
)

// refusal is an answer that is not the server's. It is shared and never changed.
type refusal struct {
	status     int
	reason     string // for the page, the log and the metrics
	message    string // for the page, instead of the reason's own
	retryAfter time.Duration
	allow      []string // value of Allow, nil for none
	closing    bool     // HTTP/1: the connection ends, because what follows on it could be anything
}

// The refusals of the pipeline.
var (
	refuseTarget      = &refusal{status: http.StatusRequestURITooLong, reason: "target_too_long", closing: true}
	refuseFields      = &refusal{status: http.StatusRequestHeaderFieldsTooLarge, reason: "too_many_fields", closing: true}
	refuseFraming     = &refusal{status: http.StatusBadRequest, reason: "bad_framing", closing: true}
	refuseExpect      = &refusal{status: http.StatusExpectationFailed, reason: "bad_expect", closing: true}
	refuseExpects     = &refusal{status: http.StatusBadRequest, reason: "bad_expect", closing: true}
	refuseHost        = &refusal{status: http.StatusBadRequest, reason: "bad_host", closing: true}
	refusePath        = &refusal{status: http.StatusBadRequest, reason: "bad_path", closing: true}
	refuseScheme      = &refusal{status: http.StatusBadRequest, reason: "bad_scheme", closing: true}
	refuseNever       = &refusal{status: http.StatusMethodNotAllowed, reason: "method", allow: allMethods, closing: true}
	refuseUnknownHost = &refusal{status: http.StatusMisdirectedRequest, reason: "unknown_host"} // RFC 9110 section 7.4
	refuseNoRoute     = &refusal{status: http.StatusNotFound, reason: "no_route"}
	refuseSlash       = &refusal{status: http.StatusBadRequest, reason: "encoded_slash"}
	refuseRewrite     = &refusal{status: http.StatusBadRequest, reason: "bad_rewrite"}
	refuseIP          = &refusal{status: http.StatusForbidden, reason: "ip_denied"}
	refuseBodySize    = &refusal{status: http.StatusRequestEntityTooLarge, reason: "body_too_large", closing: true}
	refuseInternal    = &refusal{status: http.StatusInternalServerError, reason: "internal", closing: true}
)

// allMethods is what Allow says where no route is known.
var allMethods = []string{"GET, HEAD, POST, PUT, PATCH, DELETE, OPTIONS"}[:1:1]

// refuseMethod is a path that has routes, but for other methods (RFC 9110 section 15.5.6).
func refuseMethod(allowed []string) *refusal {
	return &refusal{status: http.StatusMethodNotAllowed, reason: "method", allow: []string{strings.Join(allowed, ", ")}}
}

// refuse answers r with a page. Nothing must have been sent.
func (w *response) refuse(r *http.Request, no *refusal) {
	w.x.Denial = no.reason
	w.rt.gateway.metrics.refuse(no.reason)
	w.closing = w.closing || no.closing
	if no.allow != nil {
		w.Header()["Allow"] = no.allow
	}
	w.place.pages.Write(w, r, pages.Page{
		Status: no.status, Reason: no.reason, Message: no.message, RequestID: w.x.ID, RetryAfter: no.retryAfter,
	})
}
