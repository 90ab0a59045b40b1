module parley/engines/victoria-logs

go 1.26

require github.com/VictoriaMetrics/VictoriaMetrics v1.117.0

replace cloud.google.com/go/storage => cloud.google.com/go/storage v1.43.0

exclude google.golang.org/grpc/stats/opentelemetry v0.0.0-20240907200651-3ffb98b2c93a
