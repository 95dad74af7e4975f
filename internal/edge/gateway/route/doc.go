// Package route brings host and path of a request to one normal form, and finds
// the site and the route that they lead to.
//
// There is one form on purpose. Most bypasses of a front door are two parts
// that read the same bytes differently: the rule sees "/public/..%2fadmin", the
// server sees "/admin". Here routing, access rules, logs and the servers all get
// what Path returned, and what could be read in two ways is refused.
package route
