// Package view turns what runs into what operators see of it: the shapes of the
// admin API. It changes nothing and asks nobody who might not answer.
package view
