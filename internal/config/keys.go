package config

// Keys says where the keys of Evergate come from, each known by its purpose. One
// that is not given is made at the first start and kept in data_dir.
type Keys struct {
	// Signs the cookies of origins.NAME.sticky.
	Sticky *KeySource `yaml:"sticky"`
}

// KeySource is where a key is: exactly one of file and credential.
type KeySource struct {
	// File with the keys, one to a line, the newest first, 32 characters or more each ("openssl rand -base64 32").
	File string `yaml:"file" path:"true"`
	// Name of a systemd credential (LoadCredential=NAME:PATH in the unit) with the same content.
	Credential string `yaml:"credential"`
}

// Sources are the keys that come from elsewhere, by purpose.
func (k Keys) Sources() map[string]KeySource {
	all := map[string]KeySource{}
	if k.Sticky != nil {
		all["sticky"] = *k.Sticky
	}
	return all
}
