#include "net/channel.h"

namespace seedcore::net {

Result<Channel> Channel::Connect(const Endpoint& endpoint, Instant deadline, Env& env) {
  SEEDCORE_ASSIGN_OR_RETURN(Socket socket, Socket::Connect(endpoint.where, deadline, env));
  Channel channel(std::move(socket));
  if (endpoint.trust != nullptr) {
    SEEDCORE_ASSIGN_OR_RETURN(channel.tls_,
                              TlsSession::Handshake(*endpoint.trust, endpoint.where, channel.socket_, deadline, env));
  }
  return channel;
}

}  // namespace seedcore::net
