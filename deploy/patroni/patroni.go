// Package patroni holds the configuration of a Patroni node that README.md tells
// operators to install, so that internal/localcluster runs what they run.
package patroni

import _ "embed"

// YML is patroni.yml, with words in capitals to be filled in.
//
//go:embed patroni.yml
var YML string
