#pragma once
// GPT-2's printable stand-ins for bytes: each of the 256 bytes is one character below U+0144, so that a vocabulary of
// byte strings can be written as text. Ref: tokenizers pre_tokenizers/byte_level.rs.

#include <string>
#include <string_view>

namespace trireme {

/// One character a byte.
void append_byte_characters(std::string& to, std::string_view bytes);

/// The bytes that the characters of a token stand for; a token with any other character stands for itself.
void append_token_bytes(std::string& to, std::string_view token);

}  // namespace trireme
