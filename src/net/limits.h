#pragma once

#include <chrono>
#include <cstddef>

namespace seedcore::net {

/// What one Server may spend on its clients. Hitting a limit gives the client an error and moves a counter.
struct ServerLimits {
  std::size_t header_bytes = 16 * 1024;          ///< request line and header fields together; beyond: 400
  std::size_t header_fields = 100;               ///< number of header fields; beyond: 400
  std::size_t body_bytes = 8 * 1024 * 1024;      ///< request body, also after gunzip; beyond: 413
  std::size_t connections = 1024;                ///< open at once, over all listeners; beyond: 503 and close
  std::size_t pipelined_requests = 64;           ///< answered in one batch before other connections get their turn
  std::size_t streams = 256;                     ///< server-sent-events connections open at once; beyond: 503
  std::size_t stream_buffer_bytes = 256 * 1024;  ///< unsent events of one stream; beyond: the client is disconnected
  std::size_t worker_queue = 512;                ///< requests waiting for a worker thread; beyond: 503 with Retry-After
  unsigned worker_threads = 8;                   ///< threads that run Execution::kPool handlers
  unsigned io_threads = 0;                       ///< event loops; 0: one per core

  std::chrono::milliseconds idle{60'000};          ///< keep-alive connection without a request: closed
  std::chrono::milliseconds header_read{10'000};   ///< from the first byte to the end of the header: 408
  std::chrono::milliseconds body_read{30'000};     ///< from the end of the header to the end of the body: 408
  std::chrono::milliseconds write{30'000};         ///< a client that does not take its response: cut
  std::chrono::milliseconds linger{2'000};         ///< after an early refusal, wait for the client to have read it
  std::chrono::milliseconds request{30'000};       ///< deadline of a call whose client names none: 504
  std::chrono::milliseconds request_max{600'000};  ///< longest deadline a client may ask for; more is cut to this
  std::chrono::milliseconds heartbeat{15'000};     ///< comment line on an otherwise silent stream
  std::chrono::milliseconds tick{100};             ///< resolution of all of the above
  std::chrono::milliseconds retry_after{1'000};    ///< what a 503 tells the client, rounded up to seconds
  std::size_t gzip_min_bytes = 1024;               ///< smaller responses are sent as they are
};

}  // namespace seedcore::net
