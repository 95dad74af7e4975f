// Package acme proves Evergate's certificates against a real ACME authority:
// pebble, built from its module and run as a process, which asks our listeners
// for each challenge as a public authority would. There is nothing here but
// tests. They need no network beyond loopback, once the modules are there.
package acme
