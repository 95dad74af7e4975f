package store

// Tables are what Copy copies.
var Tables = tables
