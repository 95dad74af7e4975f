package config

import (
	"reflect"
	"testing"
)

func TestClone_IsTheSameAndMayBeChanged(t *testing.T) {
	for _, file := range []string{"testdata/full.good.yaml", "testdata/operators.good.yaml", "testdata/local-tls.good.yaml"} {
		c, same := parse(t, string(read(t, file))), parse(t, string(read(t, file)))
		clone := c.Clone()
		if !reflect.DeepEqual(clone, c) {
			t.Fatalf("%s: the clone is not the same", file)
		}
		if clone.Sites[0].Pages == c.Sites[0].Pages || clone.Sites[0].Pages != &clone.Pages {
			t.Errorf("%s: the pages of a site are those of the original", file)
		}
		overwrite(reflect.ValueOf(&clone.Log).Elem())
		for _, o := range clone.Origins {
			overwrite(reflect.ValueOf(o).Elem())
		}
		for _, s := range clone.Sites {
			overwrite(reflect.ValueOf(s).Elem())
		}
		clone.Origins["another"], clone.Sites[0] = &Origin{}, nil
		if !reflect.DeepEqual(c, same) {
			t.Errorf("%s: a change of the clone changed the original", file)
		}
	}
}

// overwrite changes every value that stands in v itself, in blocks in it, and in
// the servers; what is shared stays.
func overwrite(v reflect.Value) {
	switch v.Kind() {
	case reflect.Struct:
		for i := range v.NumField() {
			f := v.Type().Field(i)
			if f.Name == "Headers" || f.Name == "Access" || f.Name == "Compress" || f.Name == "Health" || f.Name == "Routes" {
				continue
			}
			overwrite(v.Field(i))
		}
	case reflect.Bool:
		v.SetBool(!v.Bool())
	case reflect.Int, reflect.Int64:
		v.SetInt(v.Int() + 1)
	case reflect.String:
		v.SetString(v.String() + "x")
	case reflect.Slice:
		if v.Type() == reflect.TypeFor[[]*Server]() {
			for i := range v.Len() {
				overwrite(v.Index(i).Elem())
			}
		}
	}
}
