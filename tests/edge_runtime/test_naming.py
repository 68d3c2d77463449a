from edge_runtime.naming import Naming, unnamed


def test_the_name_is_there_for_one_and_not_for_the_other() -> None:
    sentence = Naming.of("MUSTERMANN_MAX.png", "was gone before it could be read")

    assert sentence == "MUSTERMANN_MAX.png was gone before it could be read"
    assert unnamed(sentence) == "a file was gone before it could be read"


def test_a_sentence_without_a_name_stays() -> None:
    assert unnamed("the folder is there again") == "the folder is there again"
