#pragma once

#include <string>
#include <string_view>

namespace parley::chat {

/// What to search the documents for. A question that leans on what was said before ("and how long does it last?") is
/// searched for together with the question before it; others stand alone, so that a change of subject is one. Words
/// decide, and they are English: a question in another language stands alone.
std::string search_words(std::string_view question, std::string_view question_before);

}  // namespace parley::chat
