{{- define "agent.name" -}}
{{ .Release.Name | trunc 50 | trimSuffix "-" }}
{{- end -}}

{{- define "agent.selector" -}}
app.kubernetes.io/name: {{ .Chart.Name }}
app.kubernetes.io/instance: {{ .Release.Name }}
{{- end -}}

{{- define "agent.labels" -}}
{{ include "agent.selector" . }}
app.kubernetes.io/version: {{ .Chart.AppVersion | quote }}
{{- end -}}

{{- define "agent.tokenSecret" -}}
{{ .Values.rancher.existingSecret | default (printf "%s-rancher" (include "agent.name" .)) }}
{{- end -}}

{{/* The configuration file. What `config` says wins. */}}
{{- define "agent.config" -}}
{{- $url := required "rancher.url is missing: the base URL of the Rancher server" .Values.rancher.url -}}
{{- if not .Values.apiKeys }}{{ fail "apiKeys is empty: make one with `scale-cluster-agent api-key create --role operator --name NAME`" }}{{ end -}}
{{- $own := dict "RancherURL" $url "BearerTokenFile" "/run/secrets/rancher/token" "ListenAddress" "0.0.0.0" "ListenPort" 9090 "APIKeys" .Values.apiKeys "LogFormat" "json" -}}
{{- if .Values.rancher.ca }}{{ $_ := set $own "CAFile" "/etc/scale-cluster-agent/ca.pem" }}{{ end -}}
{{- if .Values.tls.existingSecret }}{{ $_ := set $own "TLSCertFile" "/run/secrets/tls/tls.crt" }}{{ $_ := set $own "TLSKeyFile" "/run/secrets/tls/tls.key" }}{{ end -}}
{{ mergeOverwrite $own .Values.config | toYaml }}
{{- end -}}
