"""How people ask what a picture shows, and the conversation as Qwen2.5-VL's template writes it."""

import numpy

import describer

ENGLISH = ["What is this?", "What is in this picture?", "Describe this image.", "Name this emoji.", "What do you see?",
           "What does this picture show?", "Which emoji is this?", "Describe the picture.", "What is shown here?",
           "Tell me what this is.", "What's this?", "Name the picture.", "Describe this image in English.", "In English, please.",
           "Please describe this picture.", "Caption this image.", "What is this emoji called?", "用英文回答这是什么。",
           "请用英语说出图中的内容。", "What is it? Answer in English.", "Describe the emoji.", "What is in the image?"]
CHINESE = ["这是什么？", "图里是什么？", "描述这张图片。", "这是什么表情？", "你看到了什么？", "图片上有什么？", "请描述这张图。",
           "这个表情叫什么？", "说出图中的内容。", "这张图片里有什么？", "图中是什么？", "请用中文描述这张图片。", "用中文说这是什么。",
           "这是啥？", "请说出这个表情的名字。", "Describe this image in Chinese.", "What is this? Answer in Chinese.",
           "用一个词描述这张图。", "这幅图画的是什么？", "看图说话。"]
# Only tests use these.
UNSEEN = {"en": ["Can you name what is on the picture?", "So, what is that?"], "zh": ["你能说说图上是什么吗？", "这到底是什么东西？"]}
CHAT_TEMPLATE = (
    "{% set image_count = namespace(value=0) %}{% set video_count = namespace(value=0) %}{% for message in messages %}"
    "{% if loop.first and message['role'] != 'system' %}<|im_start|>system\nYou are a helpful assistant.<|im_end|>\n{% endif %}"
    "<|im_start|>{{ message['role'] }}\n{% if message['content'] is string %}{{ message['content'] }}<|im_end|>\n{% else %}"
    "{% for content in message['content'] %}{% if content['type'] == 'image' or 'image' in content or 'image_url' in content %}"
    "{% set image_count.value = image_count.value + 1 %}{% if add_vision_id %}Picture {{ image_count.value }}: {% endif %}"
    "<|vision_start|><|image_pad|><|vision_end|>{% elif content['type'] == 'video' or 'video' in content %}"
    "{% set video_count.value = video_count.value + 1 %}{% if add_vision_id %}Video {{ video_count.value }}: {% endif %}"
    "<|vision_start|><|video_pad|><|vision_end|>{% elif 'text' in content %}{{ content['text'] }}{% endif %}{% endfor %}"
    "<|im_end|>\n{% endif %}{% endfor %}{% if add_generation_prompt %}<|im_start|>assistant\n{% endif %}")
IMAGE = "<|vision_start|>" + "<|image_pad|>" * describer.CELLS ** 2 + "<|vision_end|>"


def conversation(question, image_first=True):
    content = IMAGE + question if image_first else question + IMAGE
    return ("<|im_start|>system\nYou are a helpful assistant.<|im_end|>\n<|im_start|>user\n" + content +
            "<|im_end|>\n<|im_start|>assistant\n")


def positions_of(ids, image_pad):
    """ids [n] with one picture -> M-RoPE positions [3, n] and the picture's places"""
    where = numpy.flatnonzero(ids == image_pad)
    first, count = where[0], len(where)
    positions = numpy.tile(numpy.arange(len(ids)), (3, 1))
    cells = numpy.arange(count)
    positions[:, where] = first + numpy.stack([0 * cells, cells // describer.CELLS, cells % describer.CELLS])
    positions[:, first + count:] = first + describer.CELLS + numpy.arange(len(ids) - first - count)
    return positions, where
