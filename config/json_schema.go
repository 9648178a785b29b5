package config

import (
	"bytes"
	"encoding/json"
	"fmt"
	"maps"
	"net/netip"
	"reflect"
	"slices"
	"time"
)

// jsonSchemaID names the schema of this version.
const jsonSchemaID = "https://github.com/lvsd/lvsd/docs/config.schema.json?version=%d"

// JSONSchema is the JSON Schema of [Config.JSON], draft 2020-12. It is made
// from the same types as that.
func JSONSchema() []byte {
	s := jsonSchema{defs: map[string]any{
		"seconds": map[string]any{"type": "number", "description": "a time in seconds, decimal"},
		"ip":      map[string]any{"type": "string", "description": "an IPv4 or IPv6 address", "anyOf": []any{map[string]any{"format": "ipv4"}, map[string]any{"format": "ipv6"}}},
		"prefix":  map[string]any{"type": "string", "description": "ADDRESS/LENGTH", "pattern": "^[0-9a-fA-F.:]+/[0-9]+$"},
		"secret":  map[string]any{"type": "string", "description": "******** unless secrets were asked for"},
		"origin": map[string]any{
			"type": "object", "description": "where a block begins", "required": []string{"file", "line"},
			"properties": map[string]any{"file": map[string]any{"type": "string"}, "line": map[string]any{"type": "integer", "minimum": 0}},
		},
	}}
	root := s.object(reflect.TypeFor[Config]())
	root["$schema"], root["$id"] = "https://json-schema.org/draft/2020-12/schema", fmt.Sprintf(jsonSchemaID, JSONVersion)
	root["title"] = "a keepalived.conf as lvsd reads it"
	root["properties"].(map[string]any)["version"] = map[string]any{"const": JSONVersion}
	root["required"] = append([]string{"version"}, root["required"].([]string)...)
	root["$defs"] = s.defs
	var b bytes.Buffer
	enc := json.NewEncoder(&b)
	enc.SetEscapeHTML(false)
	enc.SetIndent("", "  ")
	if err := enc.Encode(root); err != nil {
		panic(fmt.Sprintf("the schema is no JSON: %v", err)) // a defect of this file
	}
	return b.Bytes()
}

// jsonSchema collects the definitions of the types that it meets.
type jsonSchema struct{ defs map[string]any }

// object is the schema of a struct.
func (s *jsonSchema) object(t reflect.Type) map[string]any {
	properties, required := map[string]any{}, []string{}
	add := func(t reflect.Type, always bool) {
		for _, key := range jsonKeys(t) {
			properties[key.name] = s.of(key.typ)
			if key.always && always {
				required = append(required, key.name)
			}
		}
	}
	add(t, true)
	if t == reflect.TypeFor[Check]() {
		for _, params := range jsonParams {
			add(params, false)
		}
	}
	return map[string]any{"type": "object", "properties": properties, "required": required}
}

// of is the schema of a value; that of a struct is a definition.
func (s *jsonSchema) of(t reflect.Type) map[string]any {
	if enum, ok := jsonEnums[t]; ok {
		return enum.schema()
	}
	if isOpt(t) {
		return s.of(t.Field(0).Type)
	}
	switch t {
	case reflect.TypeFor[time.Duration]():
		return reference("seconds")
	case reflect.TypeFor[netip.Addr]():
		return reference("ip")
	case reflect.TypeFor[netip.Prefix]():
		return reference("prefix")
	case reflect.TypeFor[Secret]():
		return reference("secret")
	case reflect.TypeFor[Origin]():
		return reference("origin")
	case reflect.TypeFor[MAC]():
		return pattern("^([0-9a-f]{2}(:|$))+")
	case reflect.TypeFor[StatusRange]():
		return pattern("^[0-9]{3}(-[0-9]{3})?$")
	case reflect.TypeFor[[]byte]():
		return pattern("^([0-9a-f]{2})*$")
	}
	switch t.Kind() {
	case reflect.Pointer:
		return s.of(t.Elem())
	case reflect.Slice:
		return map[string]any{"type": "array", "items": s.of(t.Elem())}
	case reflect.Struct:
		name := snake(t.Name())
		if _, ok := s.defs[name]; !ok {
			s.defs[name] = nil // known, should it hold itself
			s.defs[name] = s.object(t)
		}
		return reference(name)
	case reflect.String:
		return map[string]any{"type": "string"}
	case reflect.Bool:
		return map[string]any{"type": "boolean"}
	case reflect.Int, reflect.Int64:
		return map[string]any{"type": "integer"}
	case reflect.Uint8, reflect.Uint16, reflect.Uint32, reflect.Uint64:
		return map[string]any{"type": "integer", "minimum": 0}
	}
	panic("no JSON form of " + t.String())
}

func (e jsonEnum) schema() map[string]any {
	words := slices.Clone(e.texts)
	for _, n := range slices.Sorted(maps.Keys(e.words)) {
		words = append(words, e.words[n])
	}
	one := map[string]any{"enum": words}
	switch {
	case e.bits:
		return map[string]any{"type": "array", "items": one}
	case e.numbers:
		return map[string]any{"anyOf": []any{one, map[string]any{"type": "integer", "minimum": 0}}}
	}
	return one
}

func reference(name string) map[string]any { return map[string]any{"$ref": "#/$defs/" + name} }

func pattern(p string) map[string]any { return map[string]any{"type": "string", "pattern": p} }
