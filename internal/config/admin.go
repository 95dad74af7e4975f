package config

// Admin is the admin listener beyond its address, which is listen.admin.
type Admin struct {
	// Certificate of the admin listener; it must be there when listen.admin is not on loopback.
	TLS *CertFile `yaml:"tls"`
	// Host names by which the admin listener may be asked, besides its addresses and localhost.
	Hosts []string `yaml:"hosts"`
}
