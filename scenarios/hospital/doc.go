// Package hospital is the scenario of the hospital's vendor API that could not be
// changed and failed often. The package is its test; the README tells the story.
package hospital
