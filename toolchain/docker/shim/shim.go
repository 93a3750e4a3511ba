// Package shim exports the provider that upstream keeps internal.
package shim

import (
	"github.com/hashicorp/terraform-plugin-sdk/v2/helper/schema"
	"github.com/terraform-providers/terraform-provider-docker/internal/provider"
)

// NewProvider returns the SDK v2 part of the provider.
func NewProvider(version string) *schema.Provider { return provider.New(version)() }
