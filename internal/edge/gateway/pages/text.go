package pages

import "net/http"

// text is what a visitor reads. It says what happened and what can be done, and
// blames nobody.
type text struct{ title, message string }

// byReason has the reasons that need other words than their status. They are
// those of the gateway, of the proxy ("connect" and what follows) and of the front.
var byReason = map[string]text{
	"maintenance":    {"Down for maintenance", "We are working on this service. It will be back soon."},
	"ip_denied":      {"Not allowed", "This service cannot be used from your network."},
	"unknown_host":   {"No such site", "There is no site with this name here."},
	"bad_host":       {"Bad request", "The name of the site in the address could not be understood."},
	"bad_path":       {"Bad request", "The address could not be understood. Please check it for mistakes."},
	"bad_rewrite":    {"Bad request", "The address could not be understood. Please check it for mistakes."},
	"encoded_slash":  {"Bad request", "The address holds an encoded slash, which is not allowed here."},
	"body_too_large": {"Too large", "What you sent is larger than this service accepts."},
	"body_timeout":   {"Too slow", "What you sent did not arrive in time. Please check your connection and try again."},
	"bad_body":       {"Bad request", "What you sent arrived damaged."},
	"connect":        {"Service not reachable", "The service behind this address could not be reached. Please try again in a moment."},
	"reset":          {"Service not reachable", "The service behind this address broke off before it had answered. Please try again in a moment."},
	"bad_response":   {"Service not reachable", "The service behind this address gave an answer that makes no sense. Please try again in a moment."},
	"timeout":        {"Service too slow", "The service behind this address did not answer in time. Please try again in a moment."},
	"queue_full":     {"Very busy right now", "More people want to use this service than it can serve at once."},
	"queue_deadline": {"Very busy right now", "The service could not take your request in time."},
	"no_server":      {"Service not available", "No part of this service can take your request right now."},
	"memory":         {"Very busy right now", "The service is at its limit."},
	"misdirected":    {"No such site", "This connection was made for another site. Please try again."},
}

var byStatus = map[int]text{
	http.StatusBadRequest:                  {"Bad request", "The request could not be understood."},
	http.StatusForbidden:                   {"Not allowed", "You may not see this page."},
	http.StatusNotFound:                    {"Page not found", "There is nothing at this address. It may have moved, or the link may be wrong."},
	http.StatusMethodNotAllowed:            {"Method not allowed", "This address does not accept this kind of request."},
	http.StatusRequestTimeout:              {"Too slow", "The request did not arrive in time. Please try again."},
	http.StatusRequestEntityTooLarge:       {"Too large", "What you sent is larger than this service accepts."},
	http.StatusRequestURITooLong:           {"Address too long", "The address is longer than this service accepts."},
	http.StatusExpectationFailed:           {"Expectation failed", "The request expects something that this service does not do."},
	http.StatusRequestHeaderFieldsTooLarge: {"Too many header fields", "The request carries more header fields than this service accepts."},
	http.StatusInternalServerError:         {"Something went wrong", "It is our fault, and it has been noted. Please try again."},
	http.StatusNotImplemented:              {"Not supported", "This service does not know this kind of request."},
	http.StatusBadGateway:                  {"Service not reachable", "The service behind this address did not answer properly. Please try again in a moment."},
	http.StatusServiceUnavailable:          {"Service not available", "The service is not available right now. Please try again in a moment."},
	http.StatusMisdirectedRequest:          {"No such site", "This site is not to be had here."},
	http.StatusHTTPVersionNotSupported:     {"Not supported", "This service does not speak this version of HTTP."},
	http.StatusGatewayTimeout:              {"Service too slow", "The service behind this address did not answer in time. Please try again in a moment."},
}

// complete fills in what was left open.
func (p *Page) complete() {
	t, ok := byReason[p.Reason]
	if !ok {
		t = byStatus[p.Status]
	}
	if p.Title == "" {
		p.Title = t.title
	}
	if p.Title == "" {
		p.Title = http.StatusText(p.Status)
	}
	if p.Message == "" {
		p.Message = t.message
	}
}
