package api

import "time"

// Site is a set of host names with its routes.
type Site struct {
	Hosts        List[string] `json:"hosts" doc:"Its host names. The first one names it in levers."`
	RedirectFrom List[string] `json:"redirect_from" doc:"Host names that are redirected to the first of hosts."`
	Maintenance  bool         `json:"maintenance" doc:"Visitors get the maintenance page."`
	Routes       List[Route]  `json:"routes" doc:"In the order in which they are tried."`
}

// Route is what is done with some of a site's requests.
type Route struct {
	Match  string `json:"match" example:"GET,HEAD /api/*" doc:"What it is for: methods, if not all, and path, as in the configuration."`
	Origin string `json:"origin,omitempty" doc:"The origin that answers."`
	Action string `json:"action,omitempty" doc:"Without an origin, what is done: a fixed answer or a redirect, in words."`
}

// SiteList is the answer of GET sites.
type SiteList struct {
	At    time.Time  `json:"at" doc:"Moment of everything in this answer."`
	Sites List[Site] `json:"sites" doc:"All sites, in the order of the configuration."`
}
