package api

//go:generate go test -run ^TestDocument_TheReferenceIsCurrent$ -update .
