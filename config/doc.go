// Package config is the typed model of a keepalived.conf: values, their
// resolution, validation, equality and difference. It is a leaf that imports
// nothing of lvsd's own; the parser fills it, everything else only reads it.
//
// A field is named after its keyword in camel case, so that grep works both
// ways: virtual_router_id is Instance.VirtualRouterID.
//
// There are two views of the same file. The types that mirror blocks
// ([Instance], [SyncGroup], [VirtualServer], ...) hold what was written; after
// [Config.Resolve] every inherited value is filled in. [Service] is what runs:
// one per kernel service, made by [Config.KernelServices] from all
// virtual_server blocks of the same key.
package config
